#!/bin/sh
# A kind cluster with the chart on it. Needs Docker, kind, kubectl and Helm.
#   hack/kind.sh up       makes the cluster, loads the images, installs, waits until all is ready
#   hack/kind.sh test     asks it for data of every node
#   hack/kind.sh down     takes the cluster away
set -eu
cd "$(dirname "$0")/.."
version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' core/nodetide_core/__init__.py)
on() { "$@" --context kind-nodetide --namespace nodetide; }
helm_on() { helm "$@" --kube-context kind-nodetide --namespace nodetide; }

case "${1:-}" in
up)
  kind get clusters 2>/dev/null | grep -qx nodetide || kind create cluster --config kind-config.yaml --wait 3m
  for part in collector operator api; do kind load docker-image --name nodetide "nodetide-$part:$version"; done
  helm_on upgrade --install nodetide charts/nodetide --create-namespace --wait --timeout 8m \
    --values charts/nodetide/ci/ephemeral-values.yaml
  echo "API and page: http://localhost:8000   Grafana: http://localhost:3000"
  ;;
test)
  helm_on test nodetide --logs
  on kubectl wait metricpolicy/system-metrics --for=condition=Ready --timeout=2m
  # A node is there for the API as soon as its collector has sent something.
  for node in $(on kubectl get nodes --output 'jsonpath={.items[*].metadata.name}'); do
    curl --fail --silent --show-error "http://localhost:8000/api/v1/metrics/current?metric=cpu&host=$node" |
      grep -q usage_active || { echo "no data of $node" >&2; exit 1; }
    echo "data of $node"
  done
  ;;
down) kind delete cluster --name nodetide ;;
*) sed -n '2,5s/^# //p' "$0" >&2; exit 2 ;;
esac
