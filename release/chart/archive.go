package chart

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"helm.sh/helm/v4/pkg/chart/common"
	v2 "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/chart/v2/util"
)

// Release is what a released chart says instead of the one in the repository.
type Release struct {
	// Version with its v. The chart's has none.
	Version string
	// Prefix of the images' names.
	Prefix string
	// Digests of the images by program.
	Digests map[string]string
	Time    time.Time
}

// Archive writes the chart in a folder as NAME-VERSION.tgz into another, as `helm package` would. The same chart gives the same bytes.
func Archive(folder, out string, release Release) error {
	c, err := loader.Load(folder)
	if err != nil {
		return fmt.Errorf("load the chart: %w", err)
	}
	c.Metadata.Version, c.Metadata.AppVersion = strings.TrimPrefix(release.Version, "v"), release.Version
	if c.Metadata.Annotations == nil {
		c.Metadata.Annotations = map[string]string{}
	}
	for program, digest := range release.Digests { // templates see what values are, and not which of them are the chart's own
		c.Metadata.Annotations["daymark.io/"+program+"-digest"] = digest
	}
	for _, file := range c.Raw {
		if file.Name != util.ValuesfileName {
			continue
		}
		if file.Data, err = release.values(file.Data); err != nil {
			return err
		}
	}
	date(c, release.Time)
	_, err = util.Save(c, out)
	return err
}

// values sets the images in values.yaml. The text is changed, because its comments are what people read.
func (r Release) values(text []byte) ([]byte, error) {
	changes := map[string]string{`(?m)^  registry: \S+$`: "  registry: " + r.Prefix}
	for program, digest := range r.Digests {
		changes[`(?m)^  `+program+`: \{name: `+program+`, digest: ""\}$`] = fmt.Sprintf("  %s: {name: %s, digest: %q}", program, program, digest)
	}
	for pattern, line := range changes {
		expression := regexp.MustCompile(pattern)
		if found := len(expression.FindAll(text, -1)); found != 1 {
			return nil, fmt.Errorf("values.yaml has %d lines like %s, not one", found, pattern)
		}
		text = expression.ReplaceAllLiteral(text, []byte(line))
	}
	return text, nil
}

// date gives all files one time.
func date(c *v2.Chart, at time.Time) {
	c.ModTime, c.SchemaModTime = at, at
	for _, files := range [][]*common.File{c.Raw, c.Templates, c.Files} {
		for _, file := range files {
			file.ModTime = at
		}
	}
}
