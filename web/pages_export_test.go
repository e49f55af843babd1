package web

// Words of the pages that scripts say too.
var (
	AgeText     = ageText
	LatencyText = latencyText
	PercentText = percentText
)

// SitesShown is how many sites the list shows at once.
const SitesShown = sitesShown

// IncidentsShown is how many open and how many resolved incidents a page lists.
const IncidentsShown = incidentsShown
