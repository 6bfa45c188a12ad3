"""Constructors that hand ``**kwargs`` on take what those of their bases take, and nothing else."""

import pytest
from pocketflow import Node
from pydantic import ValidationError

from pocketflow_otel.runtime.registry.signatures import arguments, node_type_of


class HandsOn(Node):
    def __init__(self, words: int = 5, **kwargs):
        super().__init__(**kwargs)
        self.words = words


class HandsAllOn(HandsOn):
    def __init__(self, *args, **options):
        super().__init__(*args, **options)


class GivesSome(Node):
    def __init__(self, **kwargs):
        super().__init__(3, **kwargs)


class NamesSome(HandsOn):
    def __init__(self, *, style, **kwargs):
        super().__init__(wait=1, **kwargs)
        self.style = style


class Mixin:
    def __init__(self, colour="red", **kwargs):
        super().__init__(**kwargs)
        self.colour = colour


class Mixed(Mixin, HandsOn):
    pass


class Keeps(Node):
    def __init__(self, **kwargs):
        super().__init__()
        self.options = kwargs


class Takes(Node):
    def __init__(self, **kwargs):
        self.depth = kwargs.pop("depth", 1)
        super().__init__(**kwargs)


class Perhaps(Node):
    def __init__(self, **kwargs):
        if kwargs:
            super().__init__(**kwargs)


class OfKeeping(Keeps):
    def __init__(self, extra=0, **kwargs):
        super().__init__(**kwargs)


def made_by_exec():
    namespace = {"Node": Node}
    source = "class Exec(Node):\n    def __init__(self, **kw):\n        Node.__init__(self, **kw)\n"
    exec(source, namespace)
    return namespace["Exec"]


def fields(kind):
    return {field.alias or name for name, field in node_type_of(kind, "m:Kind").config.model_fields.items()}


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (HandsOn, {"words", "max_retries", "wait"}),
        (HandsAllOn, {"words", "max_retries", "wait"}),
        (GivesSome, {"wait"}),
        (NamesSome, {"style", "words", "max_retries"}),
        (Mixed, {"colour", "words", "max_retries", "wait"}),
    ],
)
def test_what_is_handed_on_takes_what_the_bases_take(kind, names):
    config = node_type_of(kind, "m:Kind").config

    assert fields(kind) == names
    with pytest.raises(ValidationError, match="max_retris"):
        config.model_validate({"style": "plain", "max_retris": 3} if "style" in names else {"max_retris": 3})


@pytest.mark.parametrize("kind", [Keeps, Takes, Perhaps, OfKeeping, made_by_exec()])
def test_where_it_is_not_certain_what_becomes_of_them_any_are_taken(kind):
    config = node_type_of(kind, "m:Kind").config.model_validate({"anything": 1})

    assert arguments(config) == {"anything": 1}


def test_a_node_is_made_with_what_its_bases_take():
    kind = node_type_of(Mixed, "m:Mixed")
    given = {"max_retries": 4, "words": 2, "colour": "blue"}

    node = kind.make(**arguments(kind.config.model_validate(given)))

    assert (node.max_retries, node.words, node.colour) == (4, 2, "blue")
