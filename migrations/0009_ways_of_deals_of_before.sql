-- The ways of deals of before, as they follow from their histories.
UPDATE "deals" d SET "way" = w."way", "way_from" = w."first_at", "way_recorded_at" = w."recorded_at"
FROM (
  SELECT h."workspace_id", h."deal_id", min(h."at") AS "first_at", max(h."recorded_at") AS "recorded_at",
    CASE WHEN count(DISTINCT h."pipeline_id") = 1 AND count(*) <= 100
      THEN array_agg(h."stage_id" ORDER BY h."at", h."seq") ELSE '{}' END AS "way"
  FROM "deal_history" h WHERE h."stage_id" IS NOT NULL GROUP BY 1, 2
) w WHERE w."workspace_id" = d."workspace_id" AND w."deal_id" = d."id";
