-- wrk's script of `make load`: every connection pauses between two requests, and the result is one line of JSON.
local pause = 100

function init(arguments)
  pause = tonumber(arguments[1]) or pause
  wrk.headers["X-Project-Id"] = "atlas"
end

function delay()
  return pause
end

function done(summary, latency, requests)
  local shown = {}
  for _, percentile in ipairs({ 10, 25, 50, 75, 90, 95, 99, 99.9 }) do
    table.insert(shown, string.format('"%g": %d', percentile, latency:percentile(percentile)))
  end
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.stderr:write(string.format('{"requests": %d, "failed": %d, "percentiles": {%s}}\n',
    summary.requests, failed, table.concat(shown, ", ")))
end
