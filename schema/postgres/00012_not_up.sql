-- What went wrong, found without what went well.

-- +goose Up

-- The few reports that are not up, for those who ask for an outcome.
CREATE INDEX site_reports_not_up ON site_reports (site_location_id, slot) INCLUDE (outcome) WHERE outcome <> 0;
