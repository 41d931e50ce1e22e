"""What single customers are worth, and why."""

from collections.abc import Sequence

from equiloop.metrics.v1 import service_pb2 as api

from libs.kernel.money import to_message
from services.metrics.resources import money
from services.metrics.snapshot import Snapshot
from services.metrics.valuation import Basis, value
from services.metrics.views.batch import integers
from services.metrics.views.customers import keys_of


def customer_values(
    snapshot: Snapshot, names: Sequence[str], basis: Basis, day: int
) -> api.GetCustomerValuesResponse:
    """Answer each customer once, in the order of ``names``; who did not buy by then, apart."""
    keys = keys_of(snapshot.db, names)
    valuation = value(snapshot.db, basis, day, integers(sorted(keys.values())))
    customers, worth = valuation.statistics, valuation.values
    rows = {key: row for row, key in enumerate(customers.customer.tolist())}
    columns = (
        customers.x.tolist(),
        customers.t_x.tolist(),
        customers.T.tolist(),
        worth.p_alive.tolist(),
        worth.expected_spend.tolist(),
        worth.dert.tolist(),
        worth.clv.tolist(),
        customers.spend.tolist(),
    )
    response = api.GetCustomerValuesResponse(
        purchase_model=basis.purchase_model.model,
        spend_model=basis.spend_model.model,
        position=snapshot.position,
    )
    for name in dict.fromkeys(names):
        row = rows.get(keys.get(name, -1))
        if row is None:
            response.customers_without_purchase.append(name)
            continue
        x, t_x, age, alive, spend, dert, clv, spent = (column[row] for column in columns)
        response.values.add(
            customer=name,
            repeat_count=int(x),
            recency_weeks=t_x,
            age_weeks=age,
            alive_probability=alive,
            expected_spend=money(spend, basis.currency),
            discounted_expected_purchases=dert,
            clv=money(clv, basis.currency),
            total_spend=to_message(spent, basis.currency),
        )
    return response
