"""What stands above a function or a manager, read from the log itself."""

from libs.decider import Decider
from libs.kernel.values import id_of
from services.customers.domain.tree import upwards
from services.customers.service.means import FUNCTION, MANAGER


async def functions_above(decider: Decider, name: str) -> list[str]:
    """Answer the functions that ``name`` is a part of, the nearest first."""

    async def parent(child: str) -> str:
        handled = await decider.load(FUNCTION, id_of(child))
        return handled.state.parent if handled else ""

    return await upwards(name, parent)


async def managers_above(decider: Decider, name: str) -> list[str]:
    """Answer the managers to whom ``name`` reports, directly or not, the nearest first."""

    async def reports_to(manager: str) -> str:
        handled = await decider.load(MANAGER, id_of(manager))
        return handled.state.reports_to if handled else ""

    return await upwards(name, reports_to)
