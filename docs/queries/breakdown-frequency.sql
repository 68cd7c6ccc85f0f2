SELECT site, countIf(broken AND NOT broken_before) AS breakdowns
FROM (
  SELECT site, broken, lagInFrame(broken, 1, false) OVER (
    PARTITION BY tenant, site, device ORDER BY slot) AS broken_before
  FROM (
    SELECT tenant, site, device, toStartOfInterval(event_time, INTERVAL 10 MINUTE) AS slot,
      countIf(status = 0) > count() / 2 AS broken
    FROM v_diagnostics
    GROUP BY tenant, site, device, slot
  )
)
GROUP BY site
ORDER BY site
