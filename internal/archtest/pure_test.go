package archtest

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// forbidden are functions and variables of packages that a pure package may import, but that read a clock, wait for one, know
// where the machine stands, or use the terminal.
var forbidden = map[string]bool{
	"time.Now": true, "time.Since": true, "time.Until": true, "time.Sleep": true, "time.After": true, "time.AfterFunc": true,
	"time.Tick": true, "time.NewTimer": true, "time.NewTicker": true, "time.Local": true, "time.LoadLocation": true,
	"fmt.Print": true, "fmt.Printf": true, "fmt.Println": true, "fmt.Scan": true, "fmt.Scanf": true, "fmt.Scanln": true,
	"k8s.io/apimachinery/pkg/apis/meta/v1.Now": true, "k8s.io/apimachinery/pkg/apis/meta/v1.NowMicro": true,
}

// source is a package with its syntax and its types.
type source struct {
	fset  *token.FileSet
	files []*ast.File
	types *types.Package
	info  types.Info
}

// checkPure returns what a pure package must not do, each with its place: goroutines and channels, clocks, writes to
// variables of the package, and loops over maps whose order could show.
func checkPure(s *source) []string {
	var found []string
	complain := func(at ast.Node, format string, args ...any) {
		found = append(found, fmt.Sprintf("%s: %s", s.fset.Position(at.Pos()), fmt.Sprintf(format, args...)))
	}
	for _, file := range s.files {
		ast.Inspect(file, func(node ast.Node) bool {
			switch n := node.(type) {
			case *ast.GoStmt:
				complain(n, "starts a goroutine")
			case *ast.SendStmt, *ast.SelectStmt, *ast.ChanType:
				complain(n, "uses a channel")
			case *ast.Ident:
				if object := s.info.Uses[n]; object != nil && isForbidden(object) {
					complain(n, "uses %s.%s", object.Pkg().Name(), object.Name())
				}
			case *ast.AssignStmt:
				for _, target := range n.Lhs {
					if s.isPackageVariable(target) {
						complain(n, "writes to a variable of the package")
					}
				}
			case *ast.IncDecStmt:
				if s.isPackageVariable(n.X) {
					complain(n, "writes to a variable of the package")
				}
			}
			return true
		})
		s.checkMapOrder(file, complain)
	}
	return found
}

// isForbidden reports whether an identifier stands for one of the forbidden functions and variables, whatever name the
// package is imported by. Methods of the same name are none of them.
func isForbidden(object types.Object) bool {
	return object.Pkg() != nil && object.Parent() == object.Pkg().Scope() && forbidden[object.Pkg().Path()+"."+object.Name()]
}

// isPackageVariable reports whether an expression is part of a variable that the package declares.
func (s *source) isPackageVariable(target ast.Expr) bool {
	variable, ok := s.info.Uses[root(target)].(*types.Var)
	return ok && variable.Parent() == s.types.Scope()
}

// root of an expression is the identifier on its left: x of x.y[z].w; nil if there is none.
func root(expr ast.Expr) *ast.Ident {
	for {
		switch e := expr.(type) {
		case *ast.Ident:
			return e
		case *ast.SelectorExpr:
			expr = e.X
		case *ast.IndexExpr:
			expr = e.X
		case *ast.StarExpr:
			expr = e.X
		case *ast.ParenExpr:
			expr = e.X
		default:
			return nil
		}
	}
}

// importing returns an importer of the packages that `go list -export -deps` gives for some patterns, and those packages.
func importing(t *testing.T, fset *token.FileSet, patterns ...string) (types.Importer, []pkg) {
	t.Helper()
	all, err := list(append([]string{"-export", "-deps", "-json=ImportPath,Dir,Export,GoFiles"}, patterns...)...)
	if err != nil {
		t.Fatalf("list packages: %v", err)
	}
	exports := map[string]string{}
	for _, p := range all {
		exports[p.ImportPath] = p.Export
	}
	return importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) }), all
}

// check the types of files that have been parsed.
func check(t *testing.T, fset *token.FileSet, path string, imports types.Importer, files []*ast.File) *source {
	t.Helper()
	s := &source{fset: fset, files: files, info: types.Info{
		Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{},
	}}
	var err error
	if s.types, err = (&types.Config{Importer: imports}).Check(path, fset, files, &s.info); err != nil {
		t.Fatalf("check the types of %s: %v", path, err)
	}
	return s
}

func TestPurePackages_DoNothingThatActs(t *testing.T) {
	fset := token.NewFileSet()
	imports, all := importing(t, fset, "./"+core+"...", "./"+view)
	for _, p := range all {
		if !p.isPure() {
			continue
		}
		var files []*ast.File
		for _, name := range p.GoFiles {
			file, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.ParseComments)
			if err != nil {
				t.Fatalf("parse: %v", err)
			}
			files = append(files, file)
		}
		for _, complaint := range checkPure(check(t, fset, p.ImportPath, imports, files)) {
			t.Errorf("pure package %s: %s", p.name(), complaint)
		}
	}
}
