"""Names, images and rights: what every object is held against by itself.

Each function gives sentences about what is wrong, and nothing where all is well.
"""

from __future__ import annotations

import re
from collections import Counter

from tests.support.manifests import Manifests

CLUSTER_WIDE = ("ClusterRole", "ClusterRoleBinding")
RIGHTS = {"cronjobs": {"get", "list", "patch"}, "jobs": {"get", "list", "create"}}
LONGEST = {"CronJob": 52, "StatefulSet": 52, "Deployment": 63, "Job": 63, "Service": 63}


def overreaching(manifests: Manifests) -> list[str]:
    """Rights on the Kubernetes API beyond those that the scheduler needs for its jobs."""
    found = [f"{role}: is not of this namespace alone" for kind in CLUSTER_WIDE for role in manifests.all(kind)]
    jobs = {job.name for job in manifests.all("CronJob")}
    for role in manifests.all("Role"):
        for rule in role.body["rules"]:
            verbs = set(rule["verbs"])
            for resource in rule["resources"]:
                if rule["apiGroups"] != ["batch"] or not verbs <= RIGHTS.get(resource, set()):
                    found.append(f"{role}: may {', '.join(sorted(verbs))} {resource} of {rule['apiGroups']}")
                if resource == "cronjobs" and verbs & {"get", "patch"} and set(rule.get("resourceNames", ())) != jobs:
                    found.append(f"{role}: may read and change other CronJobs than the chart's")
    for binding in manifests.all("RoleBinding"):
        for subject in binding.body["subjects"]:
            accounts = manifests.all("ServiceAccount", name=subject["name"])
            if subject["kind"] != "ServiceAccount" or [each.component for each in accounts] != ["scheduler"]:
                found.append(f"{binding}: gives rights to {subject['kind']} {subject['name']}")
        if not manifests.all(binding.body["roleRef"]["kind"], name=binding.body["roleRef"]["name"]):
            found.append(f"{binding}: there is no {binding.body['roleRef']['name']}")
    return found


def misnamed(manifests: Manifests) -> list[str]:
    """Names that are too long for what Kubernetes makes of them, and names given twice."""
    found = [
        f"{document}: {len(document.name)} characters are too many for a {document.kind}"
        for document in manifests
        if len(document.name) > LONGEST.get(document.kind, 253)
    ]
    named = Counter(
        (document.api_version.partition("/")[0], document.namespace, str(document)) for document in manifests
    )
    return found + [f"{name}: is there {times} times" for (_, _, name), times in named.items() if times > 1]


def strays(manifests: Manifests, registry: str) -> list[str]:
    """Images that come from elsewhere than `global.imageRegistry`."""
    images = set(re.findall(r"^\s*(?:- )?image: [\"']?([^\"'\s]+)", manifests.text, re.MULTILINE))
    assert images, "there are no images"
    return sorted(image for image in images if not image.startswith(f"{registry}/"))
