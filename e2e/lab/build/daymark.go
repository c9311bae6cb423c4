package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// binariesEnv names the folder of the programs under test, from outside to inside.
const binariesEnv = "DAYMARK_LAB_BINARIES"

// plainEnv names the folder of the programs as they are installed, from outside to inside.
const plainEnv = "DAYMARK_LAB_PLAIN"

// Daymark builds controller and speaker twice: as `make build` does, to be measured, and to be what is run
// otherwise, with the race detector, where there is the C compiler that it needs.
func Daymark(ctx context.Context, progress io.Writer) error {
	programs := []string{"./controller", "./speaker"}
	plain, err := install(ctx, "plain", append([]string{"-trimpath", "-ldflags=-s -w"}, programs...)...)
	if err != nil {
		return err
	}
	tested := plain
	if _, err := exec.LookPath("gcc"); err == nil {
		if tested, err = install(ctx, "race", append([]string{"-race"}, programs...)...); err != nil {
			return err
		}
	} else {
		fmt.Fprintln(progress, "lab: no C compiler, so Daymark runs without the race detector")
	}
	return errors.Join(os.Setenv(plainEnv, plain), UseBinaries(tested))
}

// DaymarkProgram is the path of "controller" or "speaker".
func DaymarkProgram(name string) string { return filepath.Join(os.Getenv(binariesEnv), name) }

// PlainDaymarkProgram is the path of the same as it is installed, without the race detector.
func PlainDaymarkProgram(name string) string { return filepath.Join(os.Getenv(plainEnv), name) }

// UseBinaries makes the programs in the folder what is run.
func UseBinaries(folder string) error {
	path, err := filepath.Abs(folder)
	if err != nil {
		return fmt.Errorf("find %s: %w", folder, err)
	}
	return os.Setenv(binariesEnv, path)
}

// install builds programs of this module into a folder of the cache that is this checkout's own, where the linker finds
// them again when nothing has changed.
func install(ctx context.Context, name string, arguments ...string) (string, error) {
	root, err := ModuleRoot()
	if err != nil {
		return "", err
	}
	folder, err := checkoutFolder(root, name)
	if err != nil {
		return "", err
	}
	unlock, err := lock(folder + ".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	cmd := exec.CommandContext(ctx, "go", append([]string{"build", "-o", folder + "/"}, arguments...)...)
	cmd.Dir = root
	cmd.Env = os.Environ()
	if !slices.Contains(arguments, "-race") {
		cmd.Env = append(cmd.Env, "CGO_ENABLED=0")
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", strings.Join(arguments, " "), err, out)
	}
	return folder, nil
}

// checkoutFolder is a folder of the cache that is this checkout's own.
func checkoutFolder(root, name string) (string, error) {
	checkout := sha256.Sum256([]byte(root))
	return cacheFolder(filepath.Join("bin-"+hex.EncodeToString(checkout[:4]), name))
}

// Plugin builds kubectl-daymark and returns its path.
func Plugin(ctx context.Context) (string, error) {
	folder, err := install(ctx, "plugin", "./cli")
	return filepath.Join(folder, "cli"), err
}

// routerEnv names the lab's own router, from outside to inside.
const routerEnv = "DAYMARK_LAB_ROUTER"

// Router builds the lab's own router.
func Router(ctx context.Context, _ io.Writer) error {
	folder, err := install(ctx, "router", "./e2e/lab/router/gobgp")
	if err != nil {
		return err
	}
	return os.Setenv(routerEnv, filepath.Join(folder, "gobgp"))
}

// RouterProgram is the path of the lab's own router, "" if Router was not called.
func RouterProgram() string { return os.Getenv(routerEnv) }
