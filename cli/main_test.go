package main

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/daymark-lb/daymark/cli/env"
)

func TestProgram_CompletesUnderTheNameThatKubectlCalls(t *testing.T) {
	t.Setenv("KUBECONFIG", os.DevNull)
	for _, name := range []string{"/usr/bin/kubectl_complete-daymark", `kubectl_complete-daymark.exe`} {
		var out, remarks bytes.Buffer
		streams := genericiooptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: &remarks}
		if err := run(t.Context(), []string{name, "serv"}, streams); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(out.String(), "services\t") || !strings.HasSuffix(out.String(), ":4\n") {
			t.Errorf("%s completes serv to %q", name, out.String())
		}
	}
}

// fullDisk takes some bytes and no more.
type fullDisk struct{ left int }

func (d *fullDisk) Write(text []byte) (int, error) {
	if len(text) > d.left {
		return 0, errors.New("no space left on device")
	}
	d.left -= len(text)
	return len(text), nil
}

func TestProgram_FailsWhenNotAllIsWritten(t *testing.T) {
	t.Setenv("KUBECONFIG", os.DevNull)
	for _, words := range []string{
		"services -A", "services -A -o name", "services -A -o yaml", "explain service web",
		"explain pool lan -o json", "routes", "simulate drain n1",
		"validate validate/testdata/right.yaml -o sarif", "watch",
	} {
		for _, room := range []int{0, 10} {
			var remarks bytes.Buffer
			args := append([]string{"kubectl-daymark", "--from", "testdata/healthy.yaml"}, strings.Fields(words)...)
			err := run(t.Context(), args, genericiooptions.IOStreams{In: strings.NewReader(""), Out: &fullDisk{room}, ErrOut: &remarks})
			if env.ExitStatus(err) != env.ExitWrong || !strings.Contains(remarks.String(), "no space left on device") {
				t.Errorf("%s, room for %d bytes: %v, %s", words, room, err, remarks.String())
			}
		}
	}
}

func TestProgram_ReadsTheStandardInputInThePlaceOfACluster(t *testing.T) {
	t.Setenv("KUBECONFIG", os.DevNull)
	text, err := os.ReadFile("testdata/healthy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var out, remarks bytes.Buffer
	streams := genericiooptions.IOStreams{In: bytes.NewReader(text), Out: &out, ErrOut: &remarks}
	if err := run(t.Context(), []string{"kubectl-daymark", "services", "-A", "-o", "name", "--from", "-"}, streams); err != nil {
		t.Fatal(err, remarks.String())
	}
	if out.String() != "service/web\nservice/api\n" {
		t.Errorf("it says %q", out.String())
	}
}
