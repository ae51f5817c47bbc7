"""Rules of an ACL policy, as ``consul acl policy create -rules`` takes them.

Source: https://developer.hashicorp.com/consul/docs/security/acl/acl-rules
"""

from __future__ import annotations

import json


def read_rule(resource: str, name: str) -> str:
    """Give the rule that lets ``name`` be read, and nothing else."""
    return f'{resource} {json.dumps(name)} {{ policy = "read" }}'
