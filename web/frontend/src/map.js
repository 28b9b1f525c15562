// The planner's map: neighbourhoods by gap × deprivation, sites that exist, sites proposed.
// Nothing is fetched from elsewhere: shapes, worker and letters all come from this server.
import { Map as MapView, NavigationControl, ScaleControl, setWorkerUrl } from "maplibre-gl";
import "maplibre-gl/dist/maplibre-gl.css";
import "./map.css";
import { drawer } from "./drawer.js";

const box = document.getElementById("map");
const { west, south, east, north, neighbourhoods, sites, plan, planId, radius, worker } = box.dataset;
const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const CELLS = ["a1", "b1", "c1", "a2", "b2", "c2", "a3", "b3", "c3"];
const FONT = ["Inter"];
/** From afar only the first ranks carry their number; the rest are plain dots until there is room. */
const SHOWN_RANKS = ["<=", ["get", "rank"], ["step", ["zoom"], 10, 11, 50, 13, 100000]];

/** Pixels that `metres` take, as an expression of the zoom, at the city's latitude. */
function ground(metres) {
  const latitude = ((Number(south) + Number(north)) / 2) * (Math.PI / 180);
  const at = (zoom) => (metres * 2 ** zoom) / (78271.517 * Math.cos(latitude));
  return ["interpolate", ["exponential", 2], ["zoom"], 8, at(8), 22, at(22)];
}

const narrow = () => matchMedia("(max-width: 760px)").matches;

function style() {
  const fill = ["match", ["get", "cell"], ...CELLS.flatMap((cell) => [cell, token(`--biv-${cell}`)]), token("--map-unknown")];
  const sources = {
    areas: { type: "geojson", data: neighbourhoods, promoteId: "id", tolerance: 0.2 },
    sites: { type: "geojson", data: sites, cluster: true, clusterRadius: 80, clusterMaxZoom: 12 },
  };
  const layers = [
    { id: "ground", type: "background", paint: { "background-color": token("--map-ground") } },
    { id: "areas", type: "fill", source: "areas", paint: { "fill-color": fill } },
    { id: "area-lines", type: "line", source: "areas", paint: { "line-color": token("--map-line"),
      "line-width": ["interpolate", ["linear"], ["zoom"], 9, 0.25, 12, 0.8, 15, 1.5], "line-opacity": 0.7 } },
    { id: "area-chosen", type: "line", source: "areas", filter: ["==", ["get", "id"], ""], paint: { "line-color": token("--ink"), "line-width": 2.5 } },
    { id: "reach", type: "circle", source: "sites", minzoom: 13, filter: ["!", ["has", "point_count"]],
      paint: { "circle-radius": ground(Number(radius)), "circle-color": token("--map-site"), "circle-opacity": 0.12, "circle-stroke-color": token("--map-site"), "circle-stroke-opacity": 0.35, "circle-stroke-width": 0.75, "circle-pitch-scale": "map" } },
    { id: "names", type: "symbol", source: "areas", minzoom: 13.5, layout: { "text-field": ["get", "name"], "text-font": FONT, "text-size": 12, "text-max-width": 8, "text-padding": 6 },
      paint: { "text-color": token("--map-label"), "text-halo-color": token("--map-halo"), "text-halo-width": 1.4 } },
    { id: "clusters", type: "circle", source: "sites", filter: ["has", "point_count"],
      paint: { "circle-color": token("--map-site-ring"), "circle-opacity": 0.86, "circle-stroke-color": token("--map-site"), "circle-stroke-width": 1, "circle-stroke-opacity": 0.75,
        "circle-radius": ["interpolate", ["linear"], ["sqrt", ["get", "point_count"]], 1, 7, 50, 15] } },
    { id: "cluster-counts", type: "symbol", source: "sites", filter: ["has", "point_count"],
      layout: { "text-field": ["get", "point_count_abbreviated"], "text-font": FONT, "text-size": 10, "text-allow-overlap": true }, paint: { "text-color": token("--map-site") } },
    { id: "sites", type: "circle", source: "sites", filter: ["!", ["has", "point_count"]],
      paint: { "circle-color": token("--map-site"), "circle-radius": ["interpolate", ["linear"], ["zoom"], 9, 1.75, 15, 4.5], "circle-stroke-color": token("--map-site-ring"), "circle-stroke-width": 0.75 } },
  ];
  if (plan) {
    sources.plan = { type: "geojson", data: plan, promoteId: "rank" };
    layers.push(
      { id: "plan-reach", type: "circle", source: "plan", minzoom: 13, paint: { "circle-radius": ground(Number(radius)), "circle-color": token("--accent"), "circle-opacity": 0.25, "circle-stroke-color": token("--accent-edge"), "circle-stroke-width": 1 } },
      { id: "plan", type: "circle", source: "plan", layout: { "circle-sort-key": ["-", 0, ["get", "rank"]] },
        paint: { "circle-color": token("--accent"), "circle-stroke-color": token("--accent-edge"), "circle-stroke-width": 1.25, "circle-radius": ["interpolate", ["linear"], ["zoom"], 9, ["step", ["get", "rank"], 9, 11, 4], 11, ["step", ["get", "rank"], 10, 51, 5], 13, 11] } },
      { id: "plan-chosen", type: "circle", source: "plan", filter: ["==", ["get", "rank"], -1], paint: { "circle-color": "rgba(0,0,0,0)", "circle-stroke-color": token("--ink"), "circle-stroke-width": 2.5, "circle-radius": ["interpolate", ["linear"], ["zoom"], 9, 10, 14, 14] } },
      { id: "plan-rank", type: "symbol", source: "plan", filter: SHOWN_RANKS, layout: { "text-field": ["to-string", ["get", "rank"]], "text-font": FONT, "text-size": ["interpolate", ["linear"], ["zoom"], 9, 10, 14, 12], "symbol-sort-key": ["get", "rank"], "text-padding": 0 }, paint: { "text-color": token("--on-accent") } },
    );
  }
  return { version: 8, sources, layers };
}

function start() {
  setWorkerUrl(new URL(worker, location.href).href);
  const phone = narrow();
  const city = [[Number(west), Number(south)], [Number(east), Number(north)]];
  const map = new MapView({
    container: box, style: style(), bounds: city, fitBoundsOptions: { padding: phone ? 12 : 24 },
    attributionControl: false, dragRotate: false, pitchWithRotate: false, touchPitch: false, maxZoom: 18,
    cooperativeGestures: phone, fadeDuration: 0, refreshExpiredTiles: false,
  });
  map.touchZoomRotate.disableRotation();
  map.addControl(new NavigationControl({ showCompass: false }), "top-right");
  map.addControl(new ScaleControl({ maxWidth: 90 }), "bottom-right");
  map.once("idle", () => { box.dataset.ready = "true"; });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => map.setStyle(style()));

  const details = drawer({ planId, radius, chosen(kind, id) {
    map.setFilter("area-chosen", ["==", ["get", "id"], kind === "neighbourhood" ? id : ""]);
    if (plan) map.setFilter("plan-chosen", ["==", ["get", "rank"], kind === "proposed" ? Number(id) : -1]);
  }, go(lon, lat) { map.easeTo({ center: [lon, lat], zoom: Math.max(map.getZoom(), 13.5) }); } });
  map.once("load", () => details.fromAddress());

  const seen = ["plan", "sites", "clusters", "areas"].filter((layer) => layer !== "plan" || plan);
  const top = (point) => {
    const near = [[point.x - 3, point.y - 3], [point.x + 3, point.y + 3]];
    for (const layer of seen) {
      const [found] = map.queryRenderedFeatures(layer === "areas" ? point : near, { layers: [layer] });
      if (found) return found;
    }
    return null;
  };
  map.on("mousemove", (event) => { map.getCanvas().style.cursor = top(event.point) ? "pointer" : ""; });
  map.on("click", async (event) => {
    const found = top(event.point);
    if (!found) return;
    const { id, rank, cluster_id: cluster } = found.properties;
    if (cluster != null) {
      const zoom = await map.getSource("sites").getClusterExpansionZoom(cluster);
      map.easeTo({ center: found.geometry.coordinates, zoom: zoom + 0.5 });
    } else if (found.layer.id === "plan") details.open("proposed", rank);
    else details.open(found.layer.id === "sites" ? "site" : "neighbourhood", id);
  });
  highlight(map);
}

/** Pointing at a cell of the legend shows where its people live. */
function highlight(map) {
  for (const cell of document.querySelectorAll(".legend [data-cell]")) {
    const show = () => map.setPaintProperty("areas", "fill-opacity", ["case", ["==", ["get", "cell"], cell.dataset.cell], 1, 0.12]);
    const hide = () => map.setPaintProperty("areas", "fill-opacity", 1);
    cell.addEventListener("pointerenter", show);
    cell.addEventListener("focus", show);
    cell.addEventListener("pointerleave", hide);
    cell.addEventListener("blur", hide);
  }
}

try {
  await document.fonts.load("12px Inter");
  start();
} catch (error) {
  // No WebGL: the table holds the same facts.
  document.querySelector(".map-missing").hidden = false;
  console.warn("the map cannot be drawn here", error);
}
