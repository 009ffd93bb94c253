-- gRPC has no 202 and no 503 with an answer: the gateway names the HTTP status in `x-http-code` (initial metadata).
-- Native gRPC never sees the header, and its HTTP status stays 200.
function envoy_on_response(response)
  local headers = response:headers()
  local code = headers:get("x-http-code")
  headers:remove("x-http-code")
  if string.sub(headers:get("content-type") or "", 1, 16) == "application/grpc" then
    return
  end
  local succeeded = (headers:get("grpc-status") or "0") == "0"
  if code ~= nil and succeeded and string.match(code, "^[2345]%d%d$") then
    headers:replace(":status", code)
  end
  -- The body says it. `grpc-status` stays: without it the access log would guess one from the HTTP status.
  headers:remove("grpc-message")
end
