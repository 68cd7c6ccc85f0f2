SELECT site, device, countIf(mean_velocity > 1) * 10 AS minutes_driven
FROM (
  SELECT site, device, toStartOfInterval(window_start, INTERVAL 10 MINUTE) AS slot,
    sum(sum) / sum(count) AS mean_velocity
  FROM v_agg_1m
  WHERE channel = 'truck' AND metric = 'velocity'
    AND window_start >= now() - INTERVAL 4 HOUR
  GROUP BY site, device, slot
)
GROUP BY site, device
HAVING minutes_driven > 220
ORDER BY site, device
