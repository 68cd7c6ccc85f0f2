SELECT toDate(slot) AS day, site, round(countIf(mean_velocity > 1) / 6, 3) AS hours_driven
FROM (
  SELECT site, device, toStartOfInterval(event_time, INTERVAL 10 MINUTE) AS slot,
    avg(velocity) AS mean_velocity
  FROM v_truck
  GROUP BY site, device, slot
)
GROUP BY day, site
ORDER BY day, site
