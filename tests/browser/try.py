import sys, pathlib, tempfile, time, signal
sys.path.insert(0,"/work/main")
from tests.browser.webapp import *
from playwright.sync_api import sync_playwright
out="/tmp/help/shots/"
with Served(pathlib.Path(tempfile.mkdtemp())/"a.db").running() as s, sync_playwright() as p:
    b=p.chromium.launch(executable_path="/usr/bin/chromium",args=["--no-sandbox","--disable-gpu","--disable-background-networking","--disable-component-update","--disable-sync"])
    for (w,h) in ((360,740),(1280,800)):
        c=b.new_context(viewport={"width":w,"height":h},reduced_motion="reduce",device_scale_factor=2 if w==360 else 1)
        pg=c.new_page()
        pg.on("console",lambda m: print("console",m.type,m.text)); pg.on("pageerror",lambda e: print("ERR",e))
        pg.goto(s.url); pg.wait_for_timeout(500)
        pg.screenshot(path=f"{out}first-{w}.png")
        def ask(t):
            pg.fill("#question",t); pg.keyboard.press("Enter"); pg.wait_for_selector(".typing",state="detached"); pg.wait_for_timeout(150)
        ask("đk tạm trú hết bn tiền")
        pg.screenshot(path=f"{out}a-{w}.png")
        ask("thế nộp ở đâu")
        pg.screenshot(path=f"{out}b-{w}.png")
        ask("làm lại giấy tờ bị mất")
        pg.screenshot(path=f"{out}c-{w}.png")
        pg.screenshot(path=f"{out}full-{w}.png",full_page=True)
        print(pg.evaluate("[document.documentElement.scrollWidth, innerWidth]"))
    b.close()
