"""How repairs edit MiniStack: exactly what they expect, or not at all."""

import types

import pytest

from quintet_cli.cloud.repairs import source


def greet(name: str) -> str:
    """Say hello."""
    return "hello " + name


class Greeter:
    """Something with a method."""

    def greet(self, name: str) -> str:
        """Say hello."""
        return "hello " + name


@pytest.fixture
def module() -> types.ModuleType:
    """A module that holds the function, as MiniStack's would."""
    made = types.ModuleType("made_for_the_test")
    made.greet = greet  # type: ignore[attr-defined]  # modules hold anything
    return made


def test_an_edit_changes_the_function_and_can_use_given_names(module: types.ModuleType) -> None:
    """The new text runs in the function's own module, with the names that the repair brought."""
    source.rewrite(module, "greet", ('"hello " + name', "shout(name)"), shout=str.upper)
    assert module.greet("you") == "YOU"


def test_a_method_is_edited_on_its_class() -> None:
    """Indented sources are edited like others."""
    source.rewrite(Greeter, "greet", ('"hello "', '"good day "'))
    assert Greeter().greet("you") == "good day you"


def test_repairs_build_on_each_other_and_are_made_once(module: types.ModuleType) -> None:
    """A second edit finds the first one's text; the same edit again is no error and changes nothing."""
    module.__name__ = "made_for_two"
    for _ in range(2):
        source.rewrite(module, "greet", ('"hello "', '"first "'))
        source.rewrite(module, "greet", ('"first "', '"second "'))
    assert module.greet("you") == "second you"


@pytest.mark.parametrize(("text", "count"), [("not there", 0), ("name", 2)])
def test_a_text_that_is_not_there_once_is_an_error_that_names_it(
    module: types.ModuleType, text: str, count: int
) -> None:
    """An upgrade that changes the repaired place is found at start, and the function stays as it was."""
    module.__name__ = f"made_for_{count}"
    with pytest.raises(source.RepairError, match=rf"greet: expected once, found {count} times: '{text}'"):
        source.rewrite(module, "greet", (text, "anything"))
    assert module.greet is greet


def test_a_function_is_replaced_only_when_its_source_is_the_expected_one(module: types.ModuleType) -> None:
    """The digest decides."""
    module.__name__ = "made_to_replace"
    with pytest.raises(source.RepairError, match="expected source 000000000000"):
        source.replace(module, "greet", str.upper, "000000000000")
    source.replace(module, "greet", str.lower, source.digest_of(module, "greet"))
    assert module.greet("YOU") == "you"


def test_a_function_that_is_gone_is_named(module: types.ModuleType) -> None:
    """What can't be found is a RepairError like any other."""
    with pytest.raises(source.RepairError, match="leave: not found"):
        source.rewrite(module, "leave", ("a", "b"))
