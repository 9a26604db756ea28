"""What the parts share: errors in words, packed items, tokens as text, and checks."""

from collections.abc import Callable
from typing import Any

from componentize_py_types import Err
from wit_world.imports import types

# As much as one read may return.
ALL = types.Limits(count=1000, bytes=1 << 20)


def told(error: types.Error) -> str:
    """An error as its name in the contract, with the numbers that it carries."""
    name = type(error).__name__.removeprefix("Error_")
    name = "".join("-" + c.lower() if c.isupper() else c for c in name).lstrip("-")
    match getattr(error, "value", None):
        case types.Bounds(start, end):
            return f"{name} [{start}, {end})"
        case types.ArtifactFault() as fault:
            return f"{name} {fault.name.lower().replace('_', '-')}"
        case int(number):
            return f"{name} {number}"
        case _:
            return name


def say(part: str, *words: Any) -> None:
    """A line about a part; values as both guests write them."""
    print(f"{part}:", *(word(value) for value in words))


def word(value: Any) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case bytes():
            return f'"{value.decode()}"'
        case list():
            return " ".join(word(item) for item in value)
        case _:
            return str(value)


def refused(call: Callable[..., Any], *args: Any) -> str:
    """The error that the call must answer."""
    try:
        answer = call(*args)
    except Err as error:
        return told(error.value)
    raise AssertionError(f"not refused: {answer}")


def unpacked(ends: list[int], packed: bytes) -> list[bytes]:
    """The single items of packed ones."""
    return [packed[start:end] for start, end in zip([0, *ends], ends)]


def packed(items: list[bytes]) -> tuple[list[int], bytes]:
    """Single items as packed ones: where each ends, and all of them."""
    ends: list[int] = []
    for item in items:
        ends.append((ends[-1] if ends else 0) + len(item))
    return ends, b"".join(items)


def text(token: types.Token) -> str:
    """A token as the command takes it."""
    wide = ["".join(f"{half:016x}" for half in halves) for halves in (token.log, token.check)]
    return f"{wide[0]}-{token.frame}-{wide[1]}"


def check(claim: bool, what: str) -> None:
    """Ends the program if the claim does not hold."""
    if not claim:
        raise AssertionError(what)
