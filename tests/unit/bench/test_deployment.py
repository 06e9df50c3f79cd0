"""A deployment of many tenants keeps up on as many instances as it is sized for."""

import pytest

from tests.bench.deployment import BUSY, SHORT, UNASKED, UNMEASURED, Form, simulate
from tests.bench.sizing import Assumed


@pytest.mark.parametrize("form", [SHORT, BUSY], ids=["silent tenants", "busy tenants"])
def test_ticks_keep_up_on_the_instances_sized_and_not_on_one_less(form: Form) -> None:
    """Each tick after a deployment ends before the next one, and no tenant waits for longer than
    two; with an instance less some tick does not, so the size is no waste either."""
    sized, less = simulate(form, UNMEASURED, Assumed())
    assert sized.keeps_up, sized.json()
    assert sized.unasked < UNASKED
    assert sized.settled > 0.8 * form.rate * 60 * form.ticks
    assert sized.poll == less.poll + 1
    assert not less.keeps_up, less.json()
