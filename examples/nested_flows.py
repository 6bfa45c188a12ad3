"""Flows within flows: every order goes through payment, inventory and shipping, each a flow of its own.

A BatchFlow runs its graph once per order and hands each run the `order_id` in `params`. The last action of an inner
flow becomes its action in the outer flow: that is how a declined card or an empty shelf gets to where it is handled.

One action leads nowhere, on purpose: nothing handles "customs_hold", so order A-104 ends there, its customer hears
nothing, and all that PocketFlow does is warn on stderr.

Run: python examples/nested_flows.py
"""

from pocketflow import BatchFlow, Flow, Node

from fake_llm import call_llm


class OrderNode(Node):
    """A node that works on the order its params name."""

    def prep(self, shared):
        return shared["orders"][self.params["order_id"]]


class CheckCard(OrderNode):
    def post(self, shared, order, exec_res):
        return "declined" if order["card"] == "expired" else "valid"


class ChargeCard(OrderNode):
    def post(self, shared, order, exec_res):
        shared["ledger"].append({"order": self.params["order_id"], "amount": order["total"]})
        order["status"] = "paid"
        return "paid"


class RejectPayment(OrderNode):
    def post(self, shared, order, exec_res):
        order["status"] = "declined"
        return "declined"


class CheckStock(OrderNode):
    def post(self, shared, order, exec_res):
        missing = [item for item, count in order["items"].items() if shared["stock"][item] < count]
        shared["backorders"].extend(missing)
        return "short" if missing else "available"


class Reserve(OrderNode):
    def post(self, shared, order, exec_res):
        for item, count in order["items"].items():
            shared["stock"][item] -= count
        return "reserved"


class Backorder(OrderNode):
    def post(self, shared, order, exec_res):
        order["status"] = "out_of_stock"
        return "out_of_stock"


class PrintLabel(OrderNode):
    def post(self, shared, order, exec_res):
        order["label"] = f"{order['customer']}, {order['country']}"


class BookCarrier(OrderNode):
    def post(self, shared, order, exec_res):
        order["status"] = "customs_hold" if order["country"] == "Norway" else "shipped"
        return order["status"]


class Refund(OrderNode):
    def post(self, shared, order, exec_res):
        shared["ledger"].append({"order": self.params["order_id"], "amount": -order["total"]})


class NotifyCustomer(OrderNode):
    def exec(self, order):
        return call_llm(f"Notify {order['customer']}: {order['status']}")

    def post(self, shared, order, message):
        order.setdefault("messages", []).append(message)


class Report(Node):
    def post(self, shared, prep_res, exec_res):
        for order_id, order in shared["orders"].items():
            print(f"{order_id} {order['customer']}: {order['status']}, {len(order.get('messages', []))} messages")
        print(f"Balance {sum(entry['amount'] for entry in shared['ledger'])}, stock {shared['stock']}")


class Payment(Flow):
    def __init__(self):
        check = CheckCard()
        check - "valid" >> ChargeCard()
        check - "declined" >> RejectPayment()
        super().__init__(start=check)


class Inventory(Flow):
    def __init__(self):
        check = CheckStock()
        check - "available" >> Reserve()
        check - "short" >> Backorder()
        super().__init__(start=check)


class Shipping(Flow):
    def __init__(self):
        label = PrintLabel()
        label >> BookCarrier()
        super().__init__(start=label)


class EveryOrder(BatchFlow):
    def __init__(self):
        payment, inventory, shipping = Payment(), Inventory(), Shipping()
        refund, notify = Refund(), NotifyCustomer()
        payment - "paid" >> inventory
        payment - "declined" >> notify
        inventory - "reserved" >> shipping
        inventory - "out_of_stock" >> refund >> notify
        shipping - "shipped" >> notify
        super().__init__(start=payment)

    def prep(self, shared):
        return [{"order_id": order_id} for order_id in shared["orders"]]


def main() -> dict:
    shared = {
        "orders": {
            "A-101": {"customer": "Ada", "country": "France", "card": "4242", "items": {"book": 2}, "total": 30},
            "A-102": {"customer": "Bo", "country": "Spain", "card": "expired", "items": {"lamp": 1}, "total": 45},
            "A-103": {"customer": "Cleo", "country": "Italy", "card": "1881", "items": {"lamp": 3}, "total": 135},
            "A-104": {"customer": "Dag", "country": "Norway", "card": "0005", "items": {"book": 1}, "total": 15},
        },
        "stock": {"book": 5, "lamp": 1},
        "ledger": [],
        "backorders": [],
    }
    orders = EveryOrder()
    orders >> Report()
    Flow(start=orders).run(shared)
    return shared


if __name__ == "__main__":
    main()
