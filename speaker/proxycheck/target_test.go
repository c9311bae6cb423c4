package proxycheck

import "testing"

// The table that the chart is tested with, too, is in release/chart.
func TestParseTarget_RefusesWhatCannotBeAsked(t *testing.T) {
	for text, taken := range map[string]bool{
		"auto": true, "none": true, "0": true, "": true, "http://127.0.0.1:10256/healthz": true, "http://[::1]/healthz": true,
		"https://127.0.0.1:10256/healthz": false, "http://user@127.0.0.1/healthz": false, "http://[::1/healthz": false,
		"http://127.0.0.1:70000/healthz": false, "http://127.0.0.1:0/healthz": false, "http://:10256/healthz": false, "off": false,
	} {
		if _, err := ParseTarget(text); (err == nil) != taken {
			t.Errorf("%q: %v", text, err)
		}
	}
}
