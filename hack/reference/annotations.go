package main

import (
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
)

// namesFile declares the annotations.
const namesFile = "api/v1beta1/names.go"

func annotationsPage(context.Context) (string, error) {
	file, err := parser.ParseFile(token.NewFileSet(), namesFile, nil, parser.ParseComments)
	if err != nil {
		return "", err
	}
	names := map[string]string{} // the annotation of each constant
	var rows [][]string
	for _, declaration := range file.Decls {
		constants, ok := declaration.(*ast.GenDecl)
		if !ok || constants.Tok != token.CONST {
			continue
		}
		for _, spec := range constants.Specs {
			value := spec.(*ast.ValueSpec)
			name := value.Names[0].Name
			if !strings.HasPrefix(name, "Annotation") && !strings.HasPrefix(name, "Alias") {
				continue
			}
			literal, ok := value.Values[0].(*ast.BasicLit)
			if !ok {
				return "", fmt.Errorf("%s is not a literal", name)
			}
			names[name], _ = strconv.Unquote(literal.Value)
			rows = append(rows, []string{code(names[name]), sentence(strings.TrimPrefix(value.Doc.Text(), name+" "))})
		}
	}
	for _, row := range rows {
		for constant, annotation := range names {
			row[1] = strings.ReplaceAll(row[1], constant, code(annotation))
		}
	}
	return "# Annotations\n\nAnnotations of Services, unless it says Node. What a tenant may ask for with them: " +
		"[requesting addresses](../requesting-addresses.md), [sharing addresses](../sharing-addresses.md).\n\n" +
		table([]string{"annotation", "meaning"}, rows), nil
}
