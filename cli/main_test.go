package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"k8s.io/cli-runtime/pkg/genericiooptions"
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
