package web

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/daymark-lb/daymark/cli/source"
)

func TestCommand_ServesUntilItIsEnded(t *testing.T) {
	all := objects(t, "healthy")
	e := environment()
	out, write := io.Pipe()
	e.Out, e.From = write, "bundle.tgz"
	e.Objects = &source.Memory{Items: all.Items, Time: all.Time, Origin: "bundle.tgz"}
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		c := New(e)
		c.SetArgs([]string{"--port", "0"})
		ended <- c.ExecuteContext(ctx)
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.Get(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(answer.Body)
	answer.Body.Close()
	if page := string(body); answer.StatusCode != 200 || !strings.Contains(plain(page), "All is well") || !strings.Contains(page, "<body data-still>") {
		t.Errorf("status %d:\n%s", answer.StatusCode, body)
	}
	end()
	if err := <-ended; err != nil {
		t.Errorf("it ends with %v", err)
	}
}
