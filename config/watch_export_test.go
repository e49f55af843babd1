package config

// WatchWith is Watch with a way to events that a test can break.
var WatchWith = watchWith
