#!/usr/bin/env bash
# Run Keycloak with the realm of this folder on 127.0.0.1, without Docker. It needs Java 17 or newer, and Maven.
#
#   ./keycloak.sh prepare   download, build and import the realm once (about a minute)
#   ./keycloak.sh           prepare if necessary, then serve until Ctrl-C. Changes in the console are kept
#   ./keycloak.sh check     succeed if it is prepared
#
# Variables: KEYCLOAK_PORT is the port (8080). OIDC_AUTH_CACHE is the folder of the files (~/.cache/oidc_auth).
# KEYCLOAK_DATA is the folder of the database. For tests only: the passwords are public, nothing is encrypted.
set -euo pipefail
cd "$(dirname "$0")"

version=26.7.3
sha256=77657f30b7e90d70f727712ce1c967f430fd6a5e9f458d32d8c6df0635345f47
digest() { { sha256sum 2>/dev/null || shasum -a 256; } <"$1" | cut -d' ' -f1; }

port=${KEYCLOAK_PORT:-8080}
folder=${OIDC_AUTH_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/oidc_auth}/keycloak-$version
realm=$(digest realm.json)
seed=$folder/realm-${realm:0:12}.mv.db
data=${KEYCLOAK_DATA:-$folder/data-${realm:0:12}}

export KC_BOOTSTRAP_ADMIN_USERNAME=admin KC_BOOTSTRAP_ADMIN_PASSWORD=admin
# One JIT compiler and the serial collector start faster (11 instead of 23 s) and use less memory (320, not 440 MiB).
export JAVA_OPTS="-Xms64m -Xmx384m -XX:MaxMetaspaceSize=256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:+ExitOnOutOfMemoryError -Dfile.encoding=UTF-8"
database() { printf -- '--db-url=jdbc:h2:file:%s/keycloakdb;NON_KEYWORDS=VALUE' "$1"; }
say() { printf 'keycloak.sh: %s\n' "$1" >&2; }

# Create everything in a temporary folder and move it when it is complete. An interrupted run then starts again.
make_distribution() {
  say "downloading Keycloak $version (176 MB)"
  mvn -B -q dependency:copy -Dartifact="org.keycloak:keycloak-quarkus-dist:$version:tar.gz" \
    -DoutputDirectory="$1" -Dmaven.repo.local="$1/maven"
  local archive="$1/keycloak-quarkus-dist-$version.tar.gz"
  [ "$(digest "$archive")" = "$sha256" ] || { say "the checksum of $archive is wrong"; exit 1; }
  say "building it"
  mkdir "$1/dist" && tar xzf "$archive" -C "$1/dist" --strip-components=1
  "$1/dist/bin/kc.sh" build --db=dev-file >&2
  [ -e "$folder/dist" ] || mv "$1/dist" "$folder/dist"
}

make_seed() {
  say "importing the realm"
  "$folder/dist/bin/kc.sh" import --optimized --cache=local --file="$PWD/realm.json" "$(database "$1")" >&2
  mv "$1/keycloakdb.mv.db" "$seed"
}

prepared() { [ -e "$folder/dist" ] && [ -e "$seed" ]; }

prepare() {
  if prepared; then return; fi
  for command in java mvn; do
    command -v "$command" >/dev/null || { say "$command is not installed (Java 17 or newer, and Maven)"; exit 1; }
  done
  mkdir -p "$folder"
  local work
  work=$(mktemp -d "$folder/unfinished.XXXXXX")
  # shellcheck disable=SC2064  # expand the variable now
  trap "rm -rf '$work'" EXIT
  [ -e "$folder/dist" ] || make_distribution "$work"
  make_seed "$work"
  rm -rf "$work"
}

case ${1:-serve} in
  check) prepared; exit ;;
  prepare) prepare; exit ;;
  serve) prepare ;;
  *) say "unknown: $1 (prepare, check or nothing)"; exit 2 ;;
esac
mkdir -p "$data"
[ -e "$data/keycloakdb.mv.db" ] || { cp "$seed" "$data/seed" && mv "$data/seed" "$data/keycloakdb.mv.db"; }
say "starting $PWD/realm.json at http://127.0.0.1:$port/realms/acme; the console is at /admin (admin, admin)"
# Without --cache=local, Keycloak would search for other nodes on all addresses of the machine.
exec "$folder/dist/bin/kc.sh" start --optimized --cache=local "$(database "$data")" --log-level=WARN,io.quarkus:INFO \
  --http-enabled=true --http-host=127.0.0.1 --http-port="$port" --hostname="http://127.0.0.1:$port"
