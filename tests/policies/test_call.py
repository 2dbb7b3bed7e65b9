"""Policies wrap a call in the order of their list."""

from policies.call import Call, Policy, compose, given, unchanged


async def echo(request: str) -> str:
    return f"<{request}>"


answer: Call[str, str] = echo


def naming(name: str) -> Policy[Call[str, str]]:
    def policy(call: Call[str, str]) -> Call[str, str]:
        async def named(request: str) -> str:
            return f"{name}({await call(request)})"

        return named

    return policy


async def test_first_is_outermost() -> None:
    """The list reads from the outside in."""
    call = compose([naming("a"), naming("b")], answer)

    assert await call("x") == "a(b(<x>))"


def test_empty_list_is_the_call_itself() -> None:
    """Without policies there is no frame."""
    assert answer is compose([], answer)


def test_absent_configuration_adds_no_frame() -> None:
    """A policy that is not configured gives back the very call it was given."""
    call = compose([given(None, naming), unchanged], answer)

    assert answer is call


async def test_present_configuration_builds_the_policy() -> None:
    """A configuration is what its policy is built from."""
    call = compose([given("a", naming)], answer)

    assert await call("x") == "a(<x>)"
