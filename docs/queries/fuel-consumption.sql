SELECT toDate(event_time) AS day, site, round(avg(fuel_consumption), 3) AS mean_consumption
FROM v_truck
WHERE velocity > 1
GROUP BY day, site
ORDER BY day, site
