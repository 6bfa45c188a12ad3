"""What the documents of this folder do in a shop: functions as anyone writes them."""


class CarrierError(Exception):
    pass


def reserve(item, count):
    print(f"reserved {count} {item}")
    return {"item": item, "count": count}


def release(reserved):
    print(f"released {reserved['count']} {reserved['item']}")


def charge(customer, amount):
    print(f"charged {customer} {amount}")
    return {"customer": customer, "amount": amount}


def refund(payment, why):
    print(f"refunded {payment['customer']} {payment['amount']}: {why}")


def ship(country, carriers):
    for carrier, countries in carriers.items():
        if country in countries:
            return f"{carrier} to {country}"
    raise CarrierError(f"nobody ships to {country}")
