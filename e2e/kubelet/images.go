package kubelet

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/daymark-lb/daymark/e2e/kubelet/machine"
	"github.com/daymark-lb/daymark/e2e/lab/build"
	"github.com/daymark-lb/daymark/internal/testnet"
)

// The images of the lab itself. Both run the same program.
const (
	PauseImage = "registry.k8s.io/pause:3.10.2"
	WebImage   = "lab.example/web:1"
)

// Image is what the registry serves by a name: an OCI layout, which has its name in it, or a folder of files of which one is run.
type Image struct {
	Layout string

	Folder  string
	Name    string
	Program string // absolute, in the folder's terms
}

// String is the image's line in the registry's list.
func (i Image) String() string {
	if i.Layout != "" {
		return "layout " + i.Layout
	}
	return fmt.Sprintf("folder %s %s %s", i.Folder, i.Name, i.Program)
}

// startRegistry serves the images and waits until it has all of them.
func (c *Cluster) startRegistry(s Settings) error {
	own, err := programImage(filepath.Join(c.dir, "images", "pod"), build.RegistryProgram("pod"))
	if err != nil {
		return err
	}
	var list strings.Builder
	for _, name := range []string{PauseImage, WebImage} {
		own.Name = name
		fmt.Fprintln(&list, own)
	}
	for _, image := range s.Images {
		fmt.Fprintln(&list, image)
	}
	file := filepath.Join(c.dir, "images", "list")
	if err := os.WriteFile(file, []byte(list.String()), 0o600); err != nil {
		return err
	}
	address := netip.AddrPortFrom(c.server, machine.RegistryPort).String()
	process := testnet.NewProcess(c.here.Namespace, "registry", c.dir, build.RegistryProgram("registry"), address, file)
	if err := process.Start(); err != nil {
		return err
	}
	c.atEnd(process.Kill)
	_, err = testnet.Eventually(time.Minute, func() error {
		connection, err := c.here.Dial(context.Background(), "tcp", address)
		if err == nil {
			err = connection.Close()
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("wait for the registry: %w\n%s", err, process.Tail(5))
	}
	return nil
}

// programImage is an image of one program, without a name. The folder is made for it.
func programImage(folder, program string) (Image, error) {
	name := filepath.Base(program)
	b, err := os.ReadFile(program)
	if err == nil {
		err = errors.Join(os.MkdirAll(folder, 0o755), os.WriteFile(filepath.Join(folder, name), b, 0o755))
	}
	if err != nil {
		return Image{}, fmt.Errorf("make an image of %s: %w", name, err)
	}
	return Image{Folder: folder, Program: "/" + name}, nil
}
