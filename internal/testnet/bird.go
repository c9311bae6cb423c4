package testnet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// BIRD is BIRD 2 in a namespace, with its files in a folder of its own.
type BIRD struct {
	*Process
	dir string
}

// RequireBIRD returns an error when BIRD is not installed. BIRD 1, which has another configuration language, does not count.
func RequireBIRD() error {
	_, err := RequireVersion("bird", "--version", "BIRD version 2", "BIRD version 3")
	return errors.Join(err, Require("birdc"))
}

// NewBIRD prepares the folder and starts nothing yet. The folder's path must be short: it holds a socket.
func NewBIRD(at *Namespace, dir, config string) (*BIRD, error) {
	path, err := Find("bird")
	if err != nil {
		return nil, err
	}
	b := &BIRD{dir: dir}
	b.Process = NewProcess(at, "bird", dir, path, "-f", "-c", b.path("bird.conf"), "-s", b.path("bird.ctl"), "-P", b.path("bird.pid"))
	return b, b.write(config)
}

func (b *BIRD) path(name string) string { return filepath.Join(b.dir, name) }

func (b *BIRD) write(config string) error {
	if err := os.WriteFile(b.path("bird.conf"), []byte("log stderr all;\n"+config), 0o600); err != nil {
		return fmt.Errorf("write BIRD's configuration: %w", err)
	}
	return nil
}

// Start runs it and waits until it answers.
func (b *BIRD) Start() error {
	if err := b.Process.Start(); err != nil {
		return err
	}
	_, err := Eventually(readyTimeout, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
		defer cancel()
		_, err := b.Ask(ctx, "show", "status")
		return err
	})
	if err != nil {
		return errors.Join(fmt.Errorf("wait for BIRD: %w\n%s", err, b.Tail(10)), b.Kill())
	}
	return nil
}

// Configure changes the configuration in place.
func (b *BIRD) Configure(ctx context.Context, config string) error {
	if err := b.write(config); err != nil {
		return err
	}
	if answer, err := b.Ask(ctx, "configure"); err != nil || !strings.Contains(answer, "Reconfigured") {
		return fmt.Errorf("configure BIRD: %w: %s", err, answer)
	}
	return nil
}

// Ask gives it a command, a word an argument, and returns the answer.
func (b *BIRD) Ask(ctx context.Context, command ...string) (string, error) {
	path, err := Find("birdc")
	if err != nil {
		return "", err
	}
	return b.At.Run(ctx, "", append([]string{path, "-s", b.path("bird.ctl")}, command...)...)
}
