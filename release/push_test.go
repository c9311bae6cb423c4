package main

import (
	"io"
	"log"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	helmregistry "helm.sh/helm/v4/pkg/registry"

	"github.com/daymark-lb/daymark/release/chart"
)

// Helm's own client pulls the chart from beside the images, and gets the very file; who verifies it finds its signature.
func TestPush_ChartIsPulledByHelm(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	folder, key, host := t.TempDir(), keyFile(t), strings.TrimPrefix(server.URL, "http://")
	released := chart.Release{Version: version, Prefix: defaultPrefix, Time: time.Unix(1750000000, 0)}
	if err := chart.Archive(filepath.Join("..", "config", "chart"), folder, released); err != nil {
		t.Fatal(err)
	}
	speaker, err := name.NewTag(defaultPrefix + "/speaker:" + version)
	if err != nil {
		t.Fatal(err)
	}
	var first, again strings.Builder
	for _, printed := range []*strings.Builder{&first, &again} {
		if err := pushChart(t.Context(), folder, speaker, destination{registry: host, key: key}, printed); err != nil {
			t.Fatal(err)
		}
	}
	if first.String() != again.String() || !strings.HasPrefix(first.String(), host+"/daymark-lb/charts/daymark@sha256:") {
		t.Errorf("what is pushed is %s, and pushed again %s", first.String(), again.String())
	}
	client, err := helmregistry.NewClient(helmregistry.ClientOptPlainHTTP(), helmregistry.ClientOptCredentialsFile(filepath.Join(folder, "none")))
	if err != nil {
		t.Fatal(err)
	}
	pulled, err := client.Pull(host + "/daymark-lb/charts/daymark:1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	if string(pulled.Chart.Data) != string(content(t, folder)["daymark-1.2.3.tgz"]) {
		t.Error("it is another chart than that in the folder")
	}
	if meta := pulled.Chart.Meta; meta.Name != "daymark" || meta.Version != "1.2.3" || meta.AppVersion != version {
		t.Errorf("the registry says of the chart %+v", meta)
	}
	pushed, err := name.NewDigest(strings.TrimSpace(first.String()))
	if err != nil {
		t.Fatal(err)
	}
	if pulled.Manifest.Digest != pushed.DigestStr() {
		t.Errorf("Helm pulls %s, and %s was pushed", pulled.Manifest.Digest, pushed)
	}
	payload, signature := signatureOf(t, pushed)
	if err := verify(t, key, payload, signature); err != nil || !strings.Contains(string(payload), `"ghcr.io/daymark-lb/charts/daymark"`) {
		t.Errorf("what is signed is %s: %v", payload, err)
	}
}
