#!/bin/sh
# Makes the secrets that nobody has set, once, each in the volume of those who need it.
# What .env says is taken at the first start only: later ones find the files, as InfluxDB and Grafana
# find their users.
set -eu
umask 022 # the volume is the boundary: whoever does not mount it does not see it

fail() {
  echo "error: $1" >&2
  exit 1
}

keep() { # FILE WORD: the word into the file, all of it or nothing
  printf %s "$2" >"$1.new"
  mv "$1.new" "$1"
}

random() {
  head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n'
}

key() { # FILE VARIABLE LEAST: keeps what the variable says, or makes something
  file=${KEYS:-/keys}/$1
  [ ! -s "$file" ] || return 0
  eval "word=\${$2:-}"
  if [ -n "$word" ]; then
    [ "${#word}" -ge "$3" ] || fail "$2 needs at least $3 characters, or none to have one made"
    echo "$1: as $2 says"
  else
    word=$(random)
    echo "$1: made"
  fi
  keep "$file" "$word"
}

key influxdb/token INFLUXDB_TOKEN 16
key influxdb/password INFLUXDB_PASSWORD 8
key grafana/password GRAFANA_PASSWORD 5
