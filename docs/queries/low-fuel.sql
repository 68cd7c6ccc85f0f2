SELECT site, device, argMax(fuel_state, event_time) AS fuel
FROM v_diagnostics
WHERE event_time >= now() - INTERVAL 1 HOUR
GROUP BY site, device
HAVING fuel < 0.1
ORDER BY site, device
