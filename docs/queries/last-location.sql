SELECT site, device, max(event_time) AS seen,
  argMax(latitude, event_time) AS lat, argMax(longitude, event_time) AS lon
FROM v_truck
WHERE event_time >= now() - INTERVAL 1 DAY
GROUP BY site, device
ORDER BY site, device
