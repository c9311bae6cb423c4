package chart

import (
	"testing"

	"github.com/daymark-lb/daymark/speaker/proxycheck"
)

// A value that the chart takes and the speaker refuses ends the speakers of all nodes.
func TestChart_TakesTheProxyHealthURLsThatTheSpeakerTakes(t *testing.T) {
	for _, test := range []struct {
		value any // as --set gives it
		text  string
		taken bool
	}{
		{"auto", "auto", true},
		{"none", "none", true},
		{"0", "0", true},
		{int64(0), "0", true},
		{"http://127.0.0.1:10256/healthz", "http://127.0.0.1:10256/healthz", true},
		{"http://127.0.0.1", "http://127.0.0.1", true},
		{"http://[::1]:10256/healthz", "http://[::1]:10256/healthz", true},
		{"http://localhost:10256/", "http://localhost:10256/", true},
		{"http://proxy.example.com/a/b-c_d", "http://proxy.example.com/a/b-c_d", true},
		{"https://127.0.0.1:10256/healthz", "https://127.0.0.1:10256/healthz", false},
		{"http://user:secret@127.0.0.1/healthz", "http://user:secret@127.0.0.1/healthz", false},
		{"http://user@127.0.0.1/healthz", "http://user@127.0.0.1/healthz", false},
		{"http://[::1/healthz", "http://[::1/healthz", false},
		{"http://127.0.0.1:port/healthz", "http://127.0.0.1:port/healthz", false},
		{"http://127.0.0.1:70000/healthz", "http://127.0.0.1:70000/healthz", false},
		{"http://127.0.0.1:0/healthz", "http://127.0.0.1:0/healthz", false},
		{"http://", "http://", false},
		{"http:///healthz", "http:///healthz", false},
		{"127.0.0.1:10256", "127.0.0.1:10256", false},
		{"/healthz", "/healthz", false},
		{"Auto", "Auto", false},
		{"off", "off", false},
		{int64(10256), "10256", false},
		{"http://127.0.0.1/%zz", "http://127.0.0.1/%zz", false},
		{"http://127.0.0.1/a b\n- c", "http://127.0.0.1/a b\n- c", false},
	} {
		t.Run(test.text, func(t *testing.T) {
			if _, err := proxycheck.ParseTarget(test.text); (err == nil) != test.taken {
				t.Errorf("the speaker says %v", err)
			}
			_, err := Render(folder, map[string]any{"speaker": map[string]any{"proxyHealthURL": test.value}})
			if (err == nil) != test.taken {
				t.Errorf("the chart says %v", err)
			}
		})
	}
}
