SELECT site, device, load, most
FROM (
  SELECT site, device, argMax(current_load, event_time) AS load
  FROM v_diagnostics
  WHERE event_time >= now() - INTERVAL 1 HOUR
  GROUP BY site, device
) AS now
JOIN (
  SELECT site, device, max(max) AS most
  FROM v_agg_1h
  WHERE channel = 'diagnostics' AND metric = 'current_load'
  GROUP BY site, device
) AS ever USING (site, device)
WHERE load >= 0.9 * most
ORDER BY site, device
