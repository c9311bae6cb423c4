package lab_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
)

func TestReport_TellsOutageAndSpan(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name         string
		served       string // an attempt every 10 ms: '.' was served, 'x' was not
		outage, span time.Duration
	}{
		{"nothing fails", "....", 0, 0},
		{"one attempt fails", "..x..", 10 * ms, 10 * ms},
		{"the longest of two counts", ".x..xxx..", 30 * ms, 60 * ms},
		{"an outage that does not end lasts to the end", "..xxx", 30 * ms, 30 * ms},
		{"nothing is ever served", "xxx", 30 * ms, 30 * ms},
		{"there was no attempt", "", 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r lab.Report
			began := time.Now()
			for i, served := range c.served {
				a := lab.Attempt{Began: began.Add(time.Duration(i) * 10 * ms)}
				if served == 'x' {
					a.Err = errors.New("not served")
				}
				r.Attempts = append(r.Attempts, a)
			}
			if r.Outage() != c.outage || r.Span() != c.span {
				t.Errorf("outage %s, span %s; want %s, %s", r.Outage(), r.Span(), c.outage, c.span)
			}
			if failed := strings.Count(c.served, "x"); r.Failed() != failed {
				t.Errorf("%d failed, want %d", r.Failed(), failed)
			}
		})
	}
}

func TestReport_OutageOfOnePageIsNotHiddenByAnother(t *testing.T) {
	const ms = time.Millisecond
	var r lab.Report
	began := time.Now()
	for i := range 10 { // the even ones are for a page that is not served from 20 to 60 ms
		a := lab.Attempt{URL: []string{"a", "b"}[i%2], Began: began.Add(time.Duration(i) * 10 * ms)}
		if i%2 == 0 && i >= 2 && i < 6 {
			a.Err = errors.New("not served")
		}
		r.Attempts = append(r.Attempts, a)
	}
	if r.Outage() != 40*ms {
		t.Errorf("outage %s, want 40ms", r.Outage())
	}
}

func TestKubernetesVersion_IsTheOneBuilt(t *testing.T) {
	b, err := os.ReadFile("../kube/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(b), "k8s.io/kubernetes "+lab.KubernetesVersion+"\n") {
		t.Errorf("e2e/kube/go.mod does not require Kubernetes %s", lab.KubernetesVersion)
	}
}
