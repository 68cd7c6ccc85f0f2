SELECT site, round(sum(sum) / sum(count), 3) AS mean_load
FROM v_agg_1h
WHERE channel = 'diagnostics' AND metric = 'current_load'
GROUP BY site
ORDER BY site
