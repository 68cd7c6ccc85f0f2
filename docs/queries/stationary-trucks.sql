SELECT site, device, round(avg(velocity), 3) AS mean_velocity
FROM v_truck
WHERE event_time >= now() - INTERVAL 10 MINUTE
GROUP BY site, device
HAVING mean_velocity < 1
ORDER BY site, device
