"""Routes of the store."""

from __future__ import annotations

from .row import Filter, Row, Sees

ITEM = {"namespace": ["{label}", "{mark}"], "key": "k"}
STORE = (
    Row(
        route="PUT /store/items",
        events=("store:put",),
        needs=("store:put",),
        filter=Filter.NAMESPACE,
        other_user=Sees.THEIRS,
        body={**ITEM, "value": {"text": "new"}},
    ),
    Row(
        route="GET /store/items",
        events=("store:get",),
        needs=("store:get",),
        filter=Filter.NAMESPACE,
        other_user=Sees.NOTHING,
        query="?namespace={label}.{mark}&key=k",
    ),
    Row(
        route="DELETE /store/items",
        events=("store:delete",),
        needs=("store:delete",),
        filter=Filter.NAMESPACE,
        other_user=Sees.THEIRS,
        body=ITEM,
    ),
    Row(
        route="POST /store/items/search",
        events=("store:search",),
        needs=("store:search",),
        filter=Filter.NAMESPACE,
        other_user=Sees.NOTHING,
        body={"namespace_prefix": ["{label}"], "filter": {"mark": "{mark}"}},
    ),
    Row(
        route="POST /store/namespaces",
        events=("store:list_namespaces",),
        needs=("store:list_namespaces",),
        filter=Filter.NAMESPACE,
        other_user=Sees.NOTHING,
        body={"prefix": ["{label}"], "suffix": ["{mark}"]},
    ),
)
