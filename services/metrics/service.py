"""The gRPC edge of metrics: message → command → fit → decide → append → reply, and questions."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import duckdb
from equiloop.metrics.v1 import service_pb2 as api
from equiloop.metrics.v1.service_pb2_grpc import MetricsServiceServicer

from libs.chassis.call import current
from libs.chassis.paging import Page
from libs.contract.parse import parse
from libs.decider import Aggregate, Decider, Handled
from libs.kernel.refusals import NotFound
from libs.kernel.values import Clock, Command, Etag, id_of
from libs.projection import Projection
from services.metrics import questions, resources
from services.metrics.appraiser import Appraiser
from services.metrics.domain import model, policy
from services.metrics.watch import watch

MODEL = Aggregate("model", "models", model.INITIAL, model.evolve)
POLICY = Aggregate("equitypolicy", "equityPolicy", policy.INITIAL, policy.evolve)
THE_POLICY = "default"


class _Etag(Command):
    etag: Etag | None = None


class MetricsService(MetricsServiceServicer):
    """Answers calls; figures are computed in threads, so that the event loop goes on."""

    def __init__(
        self,
        decider: Decider,
        projection: Projection[duckdb.DuckDBPyConnection],
        clock: Clock,
    ) -> None:
        """Ask the views of ``projection``, and ``clock`` for the present instant."""
        self._decider, self._projection, self._clock = decider, projection, clock
        self._appraiser = Appraiser(projection, clock)

    # Models

    async def FitModel(self, request: api.FitModelRequest, _: Any) -> api.Model:
        """See the contract. Waits for `equiloop-min-position` as a query does: it reads views."""
        call = current().request(request)
        now = {} if request.HasField("as_of") else {"as_of": self._clock()}
        selection = parse(model.Selection, request, **now)
        key = call.derive("model")
        decide: Any = _never
        if await self._decider.load(MODEL, key) is None:
            await self._projection.wait(current().minimum())
            fit = await asyncio.to_thread(self._appraiser.fit, f"models/{key}", selection)
            decide = partial(model.decide, fit)
        handled = await self._decider.handle(MODEL, key, decide, call)
        current().wrote(handled.position)
        return _model(handled)

    async def GetModel(self, request: api.GetModelRequest, _: Any) -> api.Model:
        """See the contract."""
        name = parse(questions.OneModel, request).name
        handled = await self._decider.load(MODEL, id_of(name))
        if handled is None:
            raise NotFound(name)
        return _model(handled)

    async def ListModels(self, request: api.ListModelsRequest, _: Any) -> api.ListModelsResponse:
        """See the contract."""
        asked, page = parse(questions.Fitted, request), Page.of(request)
        before = page.after[0] if page.after else None
        ask = partial(self._appraiser.fitted, kind=asked.kind, before=before, limit=page.size + 1)
        found = await asyncio.to_thread(ask)
        shown = found[: page.size]
        more = page.token([shown[-1][0]]) if len(found) > page.size else ""
        models = [resources.model(fitted) for _, fitted in shown]
        return api.ListModelsResponse(models=models, next_page_token=more)

    # The policy

    async def SetEquityPolicy(
        self, request: api.SetEquityPolicyRequest, _: Any
    ) -> api.EquityPolicy:
        """See the contract."""
        command = parse(policy.SetEquityPolicy, request)
        handled = await self._decider.handle(
            POLICY,
            THE_POLICY,
            partial(policy.decide, command),
            current().request(request),
            etag=parse(_Etag, request).etag,
        )
        current().wrote(handled.position)
        return _policy(handled)

    async def GetEquityPolicy(self, _: api.GetEquityPolicyRequest, __: Any) -> api.EquityPolicy:
        """See the contract."""
        handled = await self._decider.load(POLICY, THE_POLICY)
        if handled is None:
            raise NotFound("equityPolicy")
        return _policy(handled)

    # Questions of worth

    async def GetCustomerEquity(
        self, request: api.GetCustomerEquityRequest, _: Any
    ) -> api.CustomerEquity:
        """See the contract."""
        return await asyncio.to_thread(self._appraiser.equity, parse(questions.Equity, request))

    async def GetCustomerValue(
        self, request: api.GetCustomerValueRequest, _: Any
    ) -> api.CustomerValue:
        """See the contract."""
        return await asyncio.to_thread(self._appraiser.value, parse(questions.Value, request))

    async def GetCustomerValues(
        self, request: api.GetCustomerValuesRequest, _: Any
    ) -> api.GetCustomerValuesResponse:
        """See the contract."""
        return await asyncio.to_thread(self._appraiser.values, parse(questions.Values, request))

    async def WatchCustomerEquity(
        self, request: api.WatchCustomerEquityRequest, _: Any
    ) -> AsyncIterator[api.WatchCustomerEquityResponse]:
        """See the contract."""
        question = parse(questions.Watched, request)
        ask = partial(asyncio.to_thread, self._appraiser.equity, question)
        async for answer in watch(ask, self._projection.moved, question.after_position):
            yield answer


def _never(*_: Any) -> Any:
    """Decides what was decided before: a request that was answered is not decided again."""
    raise AssertionError


def _model(handled: Handled[model.Model]) -> api.Model:
    assert handled.state.fitted is not None
    return resources.model(handled.state.fitted)


def _policy(handled: Handled[policy.Policy]) -> api.EquityPolicy:
    assert handled.state.latest is not None
    return resources.policy(handled.state.latest, handled.revision)
