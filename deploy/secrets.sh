#!/bin/sh
# Makes the secrets that compose.yaml refers to, each once: what is there already stays as it is.
# The folder is closed to others; the files in it can be read by the containers' users, who are none of this machine's.
set -eu
umask 077
cd "$(dirname "$0")"
mkdir -p secrets
cd secrets

fresh() { head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n'; }

[ -e postgres-password ] || fresh > postgres-password
[ -e redis-password ] || fresh > redis-password
[ -e grafana-password ] || fresh > grafana-password
[ -e site-key ] || head -c 32 /dev/urandom > site-key

printf 'postgresql://isthmus:%s@postgres:5432/isthmus' "$(cat postgres-password)" > store-url.new
mv -f store-url.new store-url
printf 'redis://:%s@redis:6379/0' "$(cat redis-password)" > redis-url.new
mv -f redis-url.new redis-url
printf 'requirepass %s\nmaxmemory 192mb\nmaxmemory-policy allkeys-lru\nsave ""\nappendonly no\n' "$(cat redis-password)" > redis-conf.new
mv -f redis-conf.new redis-conf
chmod 0444 -- *
