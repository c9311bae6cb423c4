# Images of the two daemons:
#   docker build --target controller -t ghcr.io/daymark-lb/controller:latest .
#   docker build --target speaker    -t ghcr.io/daymark-lb/speaker:latest .
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN make build

FROM scratch AS controller
COPY --from=build /src/bin/controller /controller
USER 65532
ENTRYPOINT ["/controller"]

FROM scratch AS speaker
COPY --from=build /src/bin/speaker /speaker
ENTRYPOINT ["/speaker"]
