package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// answersCommand is the argument with which this program is a client that measures how long it waits for answers. It is a process of its own: in
// that of a thousand speakers it would wait for those, too.
const answersCommand = "answers"

// asked is what that client is given by its standard input: the API server, and the name of the ConfigMap that it asks for. It asks until the
// input ends, and then says how long that took.
type asked struct {
	Host, Token, Name string
	CA                []byte
}

// answers is how long a client waited.
type answers struct {
	mu          sync.Mutex
	reads, puts []time.Duration
	failed      int
}

// note does something, and notes how long it took.
func (a *answers) note(to *[]time.Duration, do func() error) {
	began := time.Now()
	err := do()
	a.mu.Lock()
	defer a.mu.Unlock()
	*to = append(*to, time.Since(began))
	if err != nil {
		a.failed++
	}
}

// watchAnswers has a client read and write a ConfigMap ten times a second each, whether the answers before have come or not, until
// the function is called that it returns, which says how long the answers took.
func (c *cluster) watchAnswers(config *rest.Config, name string) (stop func() string) {
	program, err := os.Executable()
	if err != nil {
		c.T().Fatalf("find this program: %v", err)
	}
	if err := rest.LoadTLSFiles(config); err != nil {
		c.T().Fatalf("read the certificates: %v", err)
	}
	process := exec.CommandContext(c.context(), program, answersCommand)
	process.Stderr = os.Stderr
	said := &strings.Builder{}
	process.Stdout = said
	input, err := process.StdinPipe()
	if err != nil {
		c.T().Fatalf("%v", err)
	}
	if err := process.Start(); err != nil {
		c.T().Fatalf("start a client: %v", err)
	}
	if err := json.NewEncoder(input).Encode(asked{config.Host, config.BearerToken, name, config.CAData}); err != nil {
		c.T().Fatalf("tell a client what to ask for: %v", err)
	}
	return func() string {
		_ = input.Close()
		if err := process.Wait(); err != nil {
			c.T().Fatalf("a client that asks the API server: %v", err)
		}
		return strings.TrimSpace(said.String())
	}
}

// runAnswers is the client.
func runAnswers(in io.Reader, out io.Writer) error {
	var a asked
	decoder := json.NewDecoder(in)
	if err := decoder.Decode(&a); err != nil {
		return fmt.Errorf("read what to ask for: %w", err)
	}
	api, err := client.New(&rest.Config{
		Host: a.Host, BearerToken: a.Token, TLSClientConfig: rest.TLSClientConfig{CAData: a.CA}, QPS: -1, UserAgent: "other",
	}, client.Options{})
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	ctx, end := context.WithCancel(context.Background())
	defer end()
	go func() {
		_, _ = io.Copy(io.Discard, in)
		end()
	}()
	took, err := a.ask(ctx, api)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "GET %s; PUT %s; %d failed\n", percentiles(took.reads), percentiles(took.puts), took.failed)
	return err
}

// ask reads and writes until ctx ends, and waits for all answers.
func (a *asked) ask(ctx context.Context, api client.Client) (*answers, error) {
	written := func(i int) *corev1.ConfigMap {
		return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: a.Name}, Data: map[string]string{"n": fmt.Sprint(i)}}
	}
	for { // It may do so as soon as the API server knows of its role.
		err := api.Create(ctx, written(-1))
		if err == nil {
			break
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("make a ConfigMap: %w", err)
		case <-time.After(100 * time.Millisecond):
		}
	}
	took := &answers{}
	var asking sync.WaitGroup
	defer asking.Wait()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return took, nil
		case <-tick.C:
		}
		asking.Go(func() {
			took.note(&took.reads, func() error {
				return api.Get(context.WithoutCancel(ctx), client.ObjectKey{Namespace: "default", Name: a.Name}, &corev1.ConfigMap{})
			})
		})
		asking.Go(func() {
			took.note(&took.puts, func() error { return api.Update(context.WithoutCancel(ctx), written(i)) })
		})
	}
}

// percentiles says how long answers took.
func percentiles(all []time.Duration) string {
	if len(all) == 0 {
		return "none"
	}
	slices.Sort(all)
	at := func(share float64) time.Duration {
		return all[int(share*float64(len(all)-1))].Round(100 * time.Microsecond)
	}
	return fmt.Sprintf("%d times, median %s, p99 %s, most %s", len(all), at(0.5), at(0.99), at(1))
}
