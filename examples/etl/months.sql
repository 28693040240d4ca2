SELECT substr(day, 1, 7) AS month,
       count(*) AS days,
       round(avg(mean), 1) AS mean_c,
       max(warmest) AS warmest_c,
       min(coldest) AS coldest_c,
       round(sum(rain), 1) AS rain_mm,
       count(*) FILTER (rain >= 1) AS wet_days
FROM input
GROUP BY month
ORDER BY month
