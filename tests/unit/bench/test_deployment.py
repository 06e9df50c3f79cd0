"""A deployment of many tenants keeps up on as many instances as it is sized for."""

from tests.bench.deployment import SHORT, UNASKED, UNMEASURED, simulate
from tests.bench.sizing import Assumed


def test_ticks_keep_up_on_the_instances_sized_and_not_on_one_less() -> None:
    """Each tick after a deployment ends before the next one, and no tenant waits for longer than
    two; with an instance less some tick does not, so the size is no waste either."""
    sized, less = simulate(SHORT, UNMEASURED, Assumed())
    assert sized.keeps_up, sized.json()
    assert sized.unasked < UNASKED
    assert sized.settled > 0.8 * SHORT.rate * 60 * SHORT.ticks
    assert sized.poll == less.poll + 1
    assert not less.keeps_up, less.json()
