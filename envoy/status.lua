-- gRPC has no 202 and no 503 with an answer: the gateway names the HTTP status in `x-http-code` (initial metadata), and
-- that of an error, where the usual one would mislead, in `x-http-error-code` (trailing metadata).
-- Native gRPC never sees the header, and its HTTP status stays 200.
function envoy_on_response(response)
  local headers = response:headers()
  local succeeded = (headers:get("grpc-status") or "0") == "0"
  local code = headers:get("x-http-error-code") or (succeeded and headers:get("x-http-code") or nil)
  headers:remove("x-http-code")
  headers:remove("x-http-error-code")
  if string.sub(headers:get("content-type") or "", 1, 16) == "application/grpc" then
    return
  end
  if code ~= nil and string.match(code, "^[2345]%d%d$") then
    headers:replace(":status", code)
  end
  -- The body says it. `grpc-status` stays: without it the access log would guess one from the HTTP status.
  headers:remove("grpc-message")
end
