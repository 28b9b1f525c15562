"""What all configurations of nginx in these tests begin with, and how it stands for InfluxDB 2."""

from __future__ import annotations

IN_ITS_FOLDER = """\
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
"""
"""Until inside `http`: runs in the foreground, all its files are in {folder}."""

AS_INFLUXDB_2 = """\
  map $arg_bucket $database {{ "~*^(?<db>.+?)(?:%2F|/)" $db; default $arg_bucket; }}
  map $arg_bucket $policy {{ "~*(?:%2F|/)(?<rp>.+)$" $rp; default ""; }}
  map $http_authorization $sign_in {{
    "Token {token}" "Basic {basic}";
    default $http_authorization;
  }}
  proxy_set_header Authorization $sign_in;
"""
"""`$database` and `$policy` of a bucket; {token} becomes {basic}, a user and a password."""
