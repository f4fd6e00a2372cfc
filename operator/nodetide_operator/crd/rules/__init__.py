"""What `nodetide_core.policy.rules` checks across fields, said in CEL; a test holds the two together."""

from nodetide_operator.crd.rules.alerts import ALERT_RULES
from nodetide_operator.crd.rules.collection import COLLECTION_RULES
from nodetide_operator.crd.rules.durations import duration_rules
from nodetide_operator.crd.rules.engine import ENGINE_RULES
from nodetide_operator.crd.rules.notify import NOTIFY_RULES
from nodetide_operator.crd.rules.policy import POLICY_RULES
from nodetide_operator.crd.rules.selector import SELECTOR_RULES
from nodetide_operator.crd.rules.storage import STORAGE_RULES

__all__ = ["RULES", "duration_rules"]

#: All rules but those of durations, which follow from the schema.
RULES = (
    *POLICY_RULES,
    *SELECTOR_RULES,
    *COLLECTION_RULES,
    *STORAGE_RULES,
    *ALERT_RULES,
    *NOTIFY_RULES,
    *ENGINE_RULES,
)
